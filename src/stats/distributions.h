#pragma once
// The distributions that the tests and intervals of this room need, by Boost.Math. Boost's headers cost seconds: only the .cpp
// sees them. Safe from several threads. Arguments are not checked: callers have seen to finite numbers, probabilities in (0, 1)
// and df > 0.

namespace negativa {

// Student's t. df: degrees of freedom, any positive number.
double t_quantile(double probability, double df);
double t_two_sided_p(double t, double df);  // chance of a |t| at least this large

double normal_quantile(double probability);
double normal_cdf(double z);
double normal_two_sided_p(double z);

double chi_squared_quantile(double probability, double df);

// Chance that a two-sided t test of size alpha rejects where t is noncentral: noncentrality = true difference / its standard
// error.
double t_test_power(double noncentrality, double df, double alpha);

}  // namespace negativa
