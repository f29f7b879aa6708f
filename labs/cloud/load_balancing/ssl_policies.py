"""The SSL policies of listeners: their names, protocols and ciphers, and what they are to HAProxy.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
"""

from typing import Any

from labs.cloud.frame.errors import AwsError

DEFAULT = "ELBSecurityPolicy-2016-08"  # of a listener made without one, by the API
_TLS13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
_GCM = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
]  # fmt: skip
_CBC = [
    "ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384",
]  # fmt: skip
_SHA1 = ["ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA"]
_RSA = ["AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256"]
_RSA_SHA1 = ["AES128-SHA", "AES256-SHA"]
_ALL = [*_GCM, *_CBC, *_SHA1, *_RSA, *_RSA_SHA1]
_OLD, _FROM_11, _12 = ["TLSv1", "TLSv1.1", "TLSv1.2"], ["TLSv1.1", "TLSv1.2"], ["TLSv1.2"]
_POLICIES: dict[str, tuple[list[str], list[str]]] = {
    "ELBSecurityPolicy-TLS13-1-3-2021-06": (["TLSv1.3"], _TLS13),
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06": ([*_12, "TLSv1.3"], [*_TLS13, *_GCM]),
    "ELBSecurityPolicy-TLS13-1-2-2021-06": ([*_12, "TLSv1.3"], [*_TLS13, *_GCM, *_CBC]),
    "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06": ([*_12, "TLSv1.3"], [*_TLS13, *_GCM, *_CBC, *_RSA]),
    "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06": ([*_12, "TLSv1.3"], [*_TLS13, *_ALL]),
    "ELBSecurityPolicy-TLS13-1-1-2021-06": ([*_FROM_11, "TLSv1.3"], [*_TLS13, *_ALL]),
    "ELBSecurityPolicy-TLS13-1-0-2021-06": ([*_OLD, "TLSv1.3"], [*_TLS13, *_ALL]),
    "ELBSecurityPolicy-TLS-1-2-2017-01": (_12, [*_GCM, *_CBC, *_RSA]),
    "ELBSecurityPolicy-TLS-1-2-Ext-2018-06": (_12, _ALL),
    "ELBSecurityPolicy-TLS-1-1-2017-01": (_FROM_11, _ALL),
    "ELBSecurityPolicy-FS-1-2-Res-2020-10": (_12, _GCM),
    "ELBSecurityPolicy-FS-1-2-Res-2019-08": (_12, [*_GCM, *_CBC]),
    "ELBSecurityPolicy-FS-1-2-2019-08": (_12, [*_GCM, *_CBC, *_SHA1]),
    "ELBSecurityPolicy-FS-1-1-2019-08": (_FROM_11, [*_GCM, *_CBC, *_SHA1]),
    "ELBSecurityPolicy-FS-2018-06": (_OLD, [*_GCM, *_CBC, *_SHA1]),
    DEFAULT: (_OLD, _ALL),
}


def described(names: list[str]) -> list[dict[str, Any]]:
    """SSL policies as the API returns them; all if none is named.

    Raises:
        AwsError: SSLPolicyNotFound.
    """
    wanted = names or list(_POLICIES)
    for name in wanted:
        require(name)
    return [
        {
            "Name": name,
            "SslProtocols": _POLICIES[name][0],
            "Ciphers": [{"Name": cipher, "Priority": place} for place, cipher in enumerate(_POLICIES[name][1], 1)],
            "SupportedLoadBalancerTypes": ["application", "network"],
        }
        for name in wanted
    ]


def require(name: str) -> None:
    """Refuses a name that is no policy's.

    Raises:
        AwsError: SSLPolicyNotFound.
    """
    if name not in _POLICIES:
        raise AwsError("SSLPolicyNotFound", f"One or more SSL policies not found: {name}")


def settings(name: str) -> str:
    """A policy as settings of a `bind` line of HAProxy. TLS 1.0 and 1.1 need OpenSSL's lowest security level.

    https://docs.haproxy.org/2.6/configuration.html#5.1
    """
    protocols, ciphers = _POLICIES[name]
    modern = [one for one in ciphers if one.startswith("TLS_")]
    older = [one for one in ciphers if not one.startswith("TLS_")]
    if protocols[0] in ("TLSv1", "TLSv1.1"):
        older.append("@SECLEVEL=0")
    lowest = {"TLSv1": "TLSv1.0"}.get(protocols[0], protocols[0])
    found = [f"ssl-min-ver {lowest}", f"ssl-max-ver {protocols[-1]}"]
    found += [f"ciphersuites {':'.join(modern)}"] if modern else []
    found += [f"ciphers {':'.join(older)}"] if older else []
    return " ".join(found)
