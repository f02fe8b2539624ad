"""Scalar code of cards."""

CODES = {
    "add": "a + b", "subtract": "a - b", "multiply": "a * b", "divide": "a / b", "negative": "-a", "positive": "a",
    "reciprocal": "1 / a", "square": "a * a", "sqrt": "sqrt(a)", "cbrt": "cbrt(a)", "fabs": "fabs(a)", "absolute": "fabs(a)",
    "where": "b if a else c",
    "maximum": "a if (a > b or a != a) else b", "minimum": "a if (a < b or a != a) else b",
    "fmax": "a if (a >= b or b != b) else b", "fmin": "a if (a <= b or b != b) else b",
    "hypot": "hypot(a, b)", "power": "pow(a, b)", "float_power": "pow(a, b)", "copysign": "copysign(a, b)",
    "floor": "floor(a)", "ceil": "ceil(a)", "trunc": "trunc(a)", "rint": "rint(a)",
    "equal": "a == b", "not_equal": "a != b", "less": "a < b", "less_equal": "a <= b", "greater": "a > b", "greater_equal": "a >= b",
    "logical_and": "a and b", "logical_or": "a or b", "logical_not": "not a", "isnan": "a != a",
    "sign": "a if (a == 0 or a != a) else copysign(1, a)",
    "exp": "exp(a)", "exp2": "exp2(a)", "expm1": "expm1(a)", "log": "log(a)", "log2": "log2(a)", "log10": "log10(a)", "log1p": "log1p(a)",
    "sinh": "sinh(a)", "cosh": "cosh(a)", "tanh": "tanh(a)", "arcsinh": "asinh(a)", "arccosh": "acosh(a)", "arctanh": "atanh(a)",
    "sech": "2 * (u := exp(-fabs(a))) / (1 + u * u)",
    "sin": "sin(a)", "cos": "cos(a)", "tan": "tan(a)", "arcsin": "asin(a)", "arccos": "acos(a)", "arctan": "atan(a)", "arctan2": "atan2(a, b)",
    "logistic": "(1 / (1 + (u := exp(-fabs(a))))) if a >= 0 else (u / (1 + u))",
    "scale": "p if (p := a * b) == p else (0 if (a == 0 or b == 0) else p)",
}  # fmt: skip
