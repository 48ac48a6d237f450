#include "stats/distributions.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace negativa {

namespace {

namespace policies = boost::math::policies;
// Computed in double: Boost's default, long double, costs several times as much for digits that no caller reads.
using Fast = policies::policy<policies::promote_double<false>>;
using StudentsT = boost::math::students_t_distribution<double, Fast>;
using NonCentralT = boost::math::non_central_t_distribution<double, Fast>;
using ChiSquared = boost::math::chi_squared_distribution<double, Fast>;
using Normal = boost::math::normal_distribution<double, Fast>;

}  // namespace

double t_quantile(double probability, double df) { return quantile(StudentsT(df), probability); }

double t_two_sided_p(double t, double df) { return std::min(1.0, 2 * cdf(StudentsT(df), -std::abs(t))); }

double normal_quantile(double probability) { return quantile(Normal(), probability); }

double normal_cdf(double z) { return cdf(Normal(), z); }

double normal_two_sided_p(double z) { return std::min(1.0, 2 * cdf(Normal(), -std::abs(z))); }

double chi_squared_quantile(double probability, double df) { return quantile(ChiSquared(df), probability); }

double t_test_power(double noncentrality, double df, double alpha) {
  const double critical = t_quantile(1 - alpha / 2, df);
  const NonCentralT t(df, std::abs(noncentrality));
  return std::clamp(cdf(complement(t, critical)) + cdf(t, -critical), 0.0, 1.0);
}

}  // namespace negativa
