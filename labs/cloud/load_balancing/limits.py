"""The limits of an account, and the SSL policies: what AWS has fixed."""

from typing import Any

from labs.cloud.frame.service import Request
from labs.cloud.load_balancing import listeners, load_balancers, pages, rules, ssl_policies, target_groups, targets
from labs.cloud.load_balancing.state import LoadBalancing

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
_LIMITS = {
    "application-load-balancers": load_balancers.MOST,
    "condition-values-per-alb-rule": 5,
    "condition-wildcards-per-alb-rule": 5,
    "listeners-per-application-load-balancer": listeners.MOST,
    "listeners-per-network-load-balancer": listeners.MOST,
    "network-load-balancers": load_balancers.MOST,
    "rules-per-application-load-balancer": rules.MOST,
    "target-groups": target_groups.MOST,
    "target-groups-per-action-on-application-load-balancer": 5,
    "target-groups-per-action-on-network-load-balancer": 1,
    "target-groups-per-application-load-balancer": 100,
    "targets-per-application-load-balancer": targets.MOST,
    "targets-per-target-group": targets.MOST,
}


def describe_limits(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeAccountLimits."""
    return pages.page("Limits", [{"Name": name, "Max": str(most)} for name, most in _LIMITS.items()], request)


def describe_policies(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeSSLPolicies: all but those with FIPS modules and post-quantum keys, which OpenSSL 3.0 does not have."""
    return pages.page("SslPolicies", ssl_policies.described(request.get("Names") or []), request)
