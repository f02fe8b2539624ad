"""Logistic regression on 569 real tumours by Newton's method, in ten lines of plain NumPy.

The gradient is `wg.grad`, and each Newton step is solved by conjugate gradients with `wg.hvp`: products of the
Hessian with vectors, without the Hessian.  scikit-learn fits the same model; the weights must agree.
"""

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import wengert as wg


def loss(params, x, sign):
    """`Σ log(1 + exp(-sign · margin)) + |w|²/2`."""
    margin = x @ params[1:] + params[0]
    return np.sum(np.logaddexp(0.0, -sign * margin)) + 0.5 * params[1:] @ params[1:]


def main():
    data = load_breast_cancer()
    x = (data.data - data.data.mean(0)) / data.data.std(0)
    sign = 2.0 * data.target - 1.0

    params = np.zeros(1 + x.shape[1])
    n_products = 0
    for iteration in range(20):
        value, gradient = wg.value_and_grad(loss)(params, x, sign)
        print(f"Newton step {iteration:2}: loss {value:.10f}, |gradient| {np.linalg.norm(gradient):.1e}")
        if np.linalg.norm(gradient) < 1e-9:
            break

        def product(v, at=params):
            nonlocal n_products
            n_products += 1
            return wg.hvp(lambda p: loss(p, x, sign), at, v)

        hessian = LinearOperator((len(params),) * 2, matvec=product, dtype=float)
        step, _ = cg(hessian, -gradient, rtol=1e-4)
        params = params + step

    theirs = LogisticRegression(C=1.0, tol=1e-12, solver="newton-cholesky").fit(x, data.target)
    difference = np.max(np.abs(params[1:] - theirs.coef_[0])) / np.max(np.abs(params[1:]))
    print(f"{n_products} products with the Hessian; weights agree with scikit-learn's to {difference:.1e}")
    return difference


if __name__ == "__main__":
    main()
