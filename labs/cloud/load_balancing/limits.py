"""The limits of an account, and the SSL policies: what AWS has fixed."""

from typing import Any

from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.load_balancing import listeners, load_balancers, pages, rules, target_groups, targets
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
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
_TLS13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
_GCM = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
]  # fmt: skip
_POLICIES = {
    "ELBSecurityPolicy-TLS13-1-3-2021-06": (["TLSv1.3"], _TLS13),
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06": (["TLSv1.2", "TLSv1.3"], _TLS13 + _GCM),
}


def describe_limits(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeAccountLimits."""
    return pages.page("Limits", [{"Name": name, "Max": str(most)} for name, most in _LIMITS.items()], request)


def describe_policies(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeSSLPolicies: the two strictest, whose protocols and ciphers AWS documents one by one."""
    names = request.get("Names") or list(_POLICIES)
    if missing := [name for name in names if name not in _POLICIES]:
        raise AwsError("SSLPolicyNotFound", f"One or more SSL policies not found: {', '.join(missing)}")
    found = [
        {
            "Name": name,
            "SslProtocols": _POLICIES[name][0],
            "Ciphers": [{"Name": cipher, "Priority": place} for place, cipher in enumerate(_POLICIES[name][1], 1)],
            "SupportedLoadBalancerTypes": ["application", "network"],
        }
        for name in names
    ]
    return pages.page("SslPolicies", found, request)
