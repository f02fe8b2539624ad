// f(x) = sum of tanh(x) exp(-x^2) + log1p(x^2), and its gradient: one pass, written by hand.
//
// With t = tanh x, e = exp(-x^2):   f' = (1 - t^2) e - 2 x t e + 2 x / (1 + x^2).

// glibc's header says which functions have vector forms where it sees this name; nothing else is done fast and wrong.
#define __FAST_MATH__
#include <math.h>

// C's own functions: those of <cmath> do not have the vector forms.
#define OF_BOTH(name) \
    static inline double name##_of(double x) { return name(x); } \
    static inline float name##_of(float x) { return name##f(x); }
OF_BOTH(tanh)
OF_BOTH(exp)
OF_BOTH(log1p)

template <class T>
static void chain(const T *__restrict x, T *__restrict value, T *__restrict gradient, long n) {
    const long block = 1024;  // one sum in single precision over everything would lose digits
    double total = 0;
    for (long begin = 0; begin < n; begin += block) {
        const long end = begin + block < n ? begin + block : n;
        T part = 0;
#pragma omp simd reduction(+ : part)
        for (long i = begin; i < end; i++) {
            const T a = x[i], square = a * a;
            const T t = tanh_of(a), e = exp_of(-square);
            part += t * e + log1p_of(square);
            gradient[i] = e * ((1 - t * t) - 2 * a * t) + 2 * a / (1 + square);
        }
        total += part;
    }
    *value = T(total);
}

extern "C" void chain_float64(const double *x, double *value, double *gradient, long n) { chain(x, value, gradient, n); }
extern "C" void chain_float32(const float *x, float *value, float *gradient, long n) { chain(x, value, gradient, n); }
