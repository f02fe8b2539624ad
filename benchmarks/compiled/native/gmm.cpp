// The gradient of a Gaussian mixture's log likelihood with a Wishart prior, by hand, point by point.
//
// With Q_k lower triangular (exp of the log-diagonal on it), z = Q (x - mean) and t_k = alpha_k + sum of log-diagonal - |z|^2 / 2, the
// likelihood of a point is log sum exp t.  With p = softmax t:  by alpha p, by mean p Q^T z, by Q  -p z (x - mean)^T.

#include <cmath>
#include <vector>

static double softmax(const double *t, double *p, long k) {
    double top = t[0], total = 0;
    for (long j = 1; j < k; j++) top = t[j] > top ? t[j] : top;
    for (long j = 0; j < k; j++) total += p[j] = std::exp(t[j] - top);
    for (long j = 0; j < k; j++) p[j] /= total;
    return top + std::log(total);
}

extern "C" void gmm(const double *alphas, const double *means, const double *icf, const double *points, double *by_alpha,
                    double *by_mean, double *by_icf, long n, long d, long k, double gamma, double m) {
    const long width = d * (d + 1) / 2;
    std::vector<double> Q(k * d * d), by_Q(k * d * d), base(k), z(k * d), c(k * d), t(k), p(k);
    for (long j = 0; j < k; j++) {
        const double *row = icf + j * width;
        base[j] = alphas[j];
        for (long i = 0; i < d; i++) {
            base[j] += row[i];
            Q[(j * d + i) * d + i] = std::exp(row[i]);
        }
        for (long b = 0, at = d; b < d; b++)
            for (long a = b + 1; a < d; a++) Q[(j * d + a) * d + b] = row[at++];
    }
    for (long j = 0; j < k; j++) by_alpha[j] = 0;
    for (long i = 0; i < k * d; i++) by_mean[i] = 0;
    for (long i = 0; i < n; i++) {
        const double *x = points + i * d;
        for (long j = 0; j < k; j++) {
            double square = 0;
            for (long a = 0; a < d; a++) c[j * d + a] = x[a] - means[j * d + a];
            for (long a = 0; a < d; a++) {
                double sum = 0;
                const double *row = &Q[(j * d + a) * d], *cj = &c[j * d];
#pragma omp simd reduction(+ : sum)
                for (long b = 0; b <= a; b++) sum += row[b] * cj[b];
                z[j * d + a] = sum;
                square += sum * sum;
            }
            t[j] = base[j] - 0.5 * square;
        }
        softmax(t.data(), p.data(), k);
        for (long j = 0; j < k; j++) {
            const double weight = p[j];
            const double *cj = &c[j * d];
            double *mean = by_mean + j * d;
            by_alpha[j] += weight;
            for (long a = 0; a < d; a++) {
                const double wz = weight * z[j * d + a], *row = &Q[(j * d + a) * d];
                double *out = &by_Q[(j * d + a) * d];
#pragma omp simd
                for (long b = 0; b <= a; b++) {
                    mean[b] += wz * row[b];
                    out[b] -= wz * cj[b];
                }
            }
        }
    }
    softmax(alphas, p.data(), k);
    for (long j = 0; j < k; j++) {
        const double *row = icf + j * width;
        double *out = by_icf + j * width;
        for (long i = 0; i < d; i++) {
            const double q = Q[(j * d + i) * d + i];
            out[i] = by_Q[(j * d + i) * d + i] * q + by_alpha[j] + gamma * gamma * q * q - m;
        }
        for (long b = 0, at = d; b < d; b++)
            for (long a = b + 1; a < d; a++, at++) out[at] = by_Q[(j * d + a) * d + b] + gamma * gamma * row[at];
        by_alpha[j] -= n * p[j];
    }
}
