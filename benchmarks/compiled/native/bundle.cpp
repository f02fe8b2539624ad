// The blocks of the Jacobian of bundle adjustment, by hand.
//
// With y = point - centre, angle a = |r|, u = r / a, the rotated point is  x = y cos a + (u x y) sin a + u (u.y) (1 - cos a).  Its
// derivative by y is the rotation R; by r, as da = u.dr and du = (I - u u^T) dr / a:
//   dx = (-y sin a + (u x y) cos a + u (u.y) sin a) da + (du x y) sin a + (du (u.y) + u (du.y)) (1 - cos a).
// Then q = (x0, x1) / x2, s = q.q, L = 1 + k1 s + k2 s^2, and the error is  w (f L q + p - feature).

#include <cmath>

static void cross(const double *a, const double *b, double *c) {
    c[0] = a[1] * b[2] - a[2] * b[1];
    c[1] = a[2] * b[0] - a[0] * b[2];
    c[2] = a[0] * b[1] - a[1] * b[0];
}

static double dot(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

static void observation(const double *camera, const double *point, double weight, const double *feature,
                        double *by_camera, double *by_point, double *by_weight) {
    const double *r = camera, k1 = camera[9], k2 = camera[10], focal = camera[6];
    double y[3], u[3], uy[3], x[3], turn[3], rotation[3][3], by_r[3][3];
    const double angle = std::sqrt(dot(r, r)), sine = std::sin(angle), cosine = std::cos(angle), rest = 1 - cosine;
    for (int i = 0; i < 3; i++) {
        y[i] = point[i] - camera[3 + i];
        u[i] = r[i] / angle;
    }
    cross(u, y, uy);
    const double along = dot(u, y);
    for (int i = 0; i < 3; i++) {
        x[i] = y[i] * cosine + uy[i] * sine + u[i] * along * rest;
        turn[i] = -y[i] * sine + uy[i] * cosine + u[i] * along * sine;
    }
    for (int j = 0; j < 3; j++) {
        double e[3] = {0, 0, 0}, ey[3], du[3], duy[3];
        e[j] = 1;
        cross(u, e, ey);
        for (int i = 0; i < 3; i++) du[i] = (e[i] - u[i] * u[j]) / angle;
        cross(du, y, duy);
        const double moved = dot(du, y);
        for (int i = 0; i < 3; i++) {
            rotation[i][j] = cosine * e[i] + sine * ey[i] + rest * u[i] * u[j];
            by_r[i][j] = turn[i] * u[j] + sine * duy[i] + rest * (du[i] * along + u[i] * moved);
        }
    }
    const double q[2] = {x[0] / x[2], x[1] / x[2]}, s = q[0] * q[0] + q[1] * q[1];
    const double L = 1 + k1 * s + k2 * s * s, slope = 2 * (k1 + 2 * k2 * s), scale = weight * focal;
    for (int o = 0; o < 2; o++) {
        const double d[2] = {slope * q[o] * q[0] + (o == 0 ? L : 0), slope * q[o] * q[1] + (o == 1 ? L : 0)};
        const double by_x[3] = {scale * d[0] / x[2], scale * d[1] / x[2], -scale * (d[0] * q[0] + d[1] * q[1]) / x[2]};
        double *row = by_camera + 11 * o;
        for (int j = 0; j < 3; j++) {
            row[j] = by_x[0] * by_r[0][j] + by_x[1] * by_r[1][j] + by_x[2] * by_r[2][j];
            const double p = by_x[0] * rotation[0][j] + by_x[1] * rotation[1][j] + by_x[2] * rotation[2][j];
            row[3 + j] = -p;
            by_point[3 * o + j] = p;
        }
        row[6] = weight * L * q[o];
        row[7] = o == 0 ? weight : 0;
        row[8] = o == 1 ? weight : 0;
        row[9] = scale * q[o] * s;
        row[10] = scale * q[o] * s * s;
        by_weight[o] = focal * L * q[o] + camera[7 + o] - feature[o];
    }
}

extern "C" void bundle(const double *cameras, const double *points, const double *weights, const double *features, const long *c,
                       const long *p, double *by_camera, double *by_point, double *by_weight, long n) {
    for (long i = 0; i < n; i++)
        observation(cameras + 11 * c[i], points + 3 * p[i], weights[i], features + 2 * i, by_camera + 22 * i, by_point + 6 * i,
                    by_weight + 2 * i);
}
