"""HAProxy's configuration for one load balancer, from its records. Nothing here has effects.

A backend `tg-<id>` for each target group passes the traffic; its servers are put in and taken out at run time. A
backend `check-<id>` beside it carries no traffic: its servers are the health checks. So a check can be made anew, with
another interval, without touching a request, and a new target can be checked often before it gets its first one.

https://docs.haproxy.org/2.6/configuration.html
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import ssl_policies, tls
from labs.cloud.load_balancing.rules_check import CONFIGS

CONNECT_SECONDS = (
    10  # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
)
TCP_IDLE_SECONDS = 350
SERVER = "awselb/2.0"
CHECKER = "ELB-HealthChecker/2.0"

_SAFE = re.compile(r"[A-Za-z0-9_./:=,-]")
_PLACEHOLDER = re.compile(r"#\{(\w+)\}")
_REASONS = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


class Plan(NamedTuple):
    """What a load balancer's HAProxy is to do.

    Args:
        balancer: the load balancer's record.
        listeners: its listeners, each with its rules in the order in which they are tried.
        groups: the target groups that they forward to, by ARN.
        certificates: a listener's port to the names of its certificates' files, the default one first.
    """

    balancer: Record
    listeners: Sequence[tuple[Record, Sequence[Record]]]
    groups: Mapping[str, Record]
    certificates: Mapping[int, Sequence[str]] = {}


def backend(group: str) -> str:
    """The name of a target group's backend, from its ARN."""
    return f"tg-{_id(group)}"


def check_backend(group: str) -> str:
    """The name of the backend of a target group's health checks, from its ARN."""
    return f"check-{_id(group)}"


def render(plan: Plan) -> str:
    """The configuration, without servers. The same records give the same text."""
    application = plan.balancer["Type"] == "application"
    lines = _common(plan.balancer)
    for listener, rules in plan.listeners:
        bind = _bind(listener, plan.certificates.get(listener["Port"], ()))
        made = _frontend(plan.balancer, listener, rules, bind) if application else _tcp_frontend(listener, rules, bind)
        lines += made
    for group in plan.groups.values():
        lines += (_http_group(group) if application else _tcp_group(group)) + _check(group)
    return "\n".join(lines) + "\n"


def digest(text: str) -> str:
    """A short name for a configuration."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def complete(text: str, servers: Mapping[str, Sequence[str]], settings: Mapping[str, str]) -> str:
    """A rendered configuration as HAProxy gets it: with its digest, and with the servers that take requests now.

    Args:
        text: from `render`.
        servers: target group ARN to the `address:port` of each target in rotation.
        settings: target group ARN to what `server_settings` says of it.
    """
    found = [text.replace("@digest", digest(text))]
    for group, names in servers.items():
        marker = f"\nbackend {backend(group)}\n"
        lines = "".join(f"    server {name} {name} {settings[group]}\n" for name in names)
        found = [found[0].replace(marker, marker + lines)]
    return found[0]


def server_settings(group: Record) -> str:
    """The settings of a server of a target group, after its address. Certificates of targets are not looked at.

    A server made at run time takes no defaults, and would keep no connection for the next request.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
    """
    slow = int(group["_attributes"].get("slow_start.duration_seconds", "0"))
    found = "weight 100 pool-max-conn -1 pool-purge-delay 5s"
    found += f" slowstart {slow}s" if slow else ""
    return found + (" ssl verify none" if group["Protocol"] in tls.PROTOCOLS else "")


def quoted(text: str) -> str:
    """A text as one word of the configuration, whatever is in it."""
    return "".join(
        chr(byte) if _SAFE.match(chr(byte)) else f"\\x{byte:02x}" for byte in text.encode()
    )  # fmt: skip


def glob(pattern: str, any_text: str = ".*", any_char: str = ".") -> str:
    """AWS's wildcards as a regular expression: `*` is any text, `?` any one character."""
    kinds = {"*": any_text, "?": any_char}
    return "".join(kinds.get(char) or re.escape(char) for char in pattern)


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _common(balancer: Record) -> list[str]:
    values = balancer["_attributes"]
    idle = int(values.get("idle_timeout.timeout_seconds", TCP_IDLE_SECONDS))
    keep_alive = int(values.get("client_keep_alive.seconds", idle))
    lines = [
        "global",
        "    description @digest",
        "    stats socket /lb/admin.sock mode 600 level admin expose-fd listeners",
        "    hard-stop-after 3600s",
        "    maxconn 4000",
        "peers own",
        "    peer lb 127.0.0.1:1023",
        "defaults",
        f"    mode {'http' if balancer['Type'] == 'application' else 'tcp'}",
        f"    timeout connect {CONNECT_SECONDS}s",
        f"    timeout client {idle}s",
        f"    timeout server {idle}s",
        "    retries 0",
    ]
    if balancer["Type"] != "application":
        return lines
    pages = [f"    http-error status {code} {_page(f'{code} {reason}')}" for code, reason in _REASONS.items()]
    return [
        *lines,
        f"    timeout http-keep-alive {min(idle, keep_alive)}s",
        f"    timeout http-request {idle}s",
        "    timeout tunnel 3600s",
        "    option idle-close-on-response",
        *pages,
    ]


def _page(title: str) -> str:
    """AWS's page for an error of its own, as arguments of `http-error` or `return`."""
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return f"content-type text/html string {quoted(body)} hdr Server {SERVER}"


# --- listeners and rules ----------------------------------------------------------------------------------------------


def _bind(listener: Record, certificates: Sequence[str]) -> str:
    """Where a listener listens, and how it speaks TLS: the certificate is chosen by SNI, the first one is for the rest.

    https://docs.haproxy.org/2.6/configuration.html#5.1-crt
    """
    place = f"    bind *:{listener['Port']}"
    if listener["Protocol"] not in tls.PROTOCOLS:
        return place
    alpn = "h2,http/1.1" if listener["Protocol"] == "HTTPS" else tls.ALPN[listener.get("AlpnPolicy", ["None"])[0]]
    files = " ".join(f"crt /lb/{name}" for name in certificates)
    return f"{place} ssl {files} {ssl_policies.settings(listener['SslPolicy'])}" + (f" alpn {alpn}" if alpn else "")


def _tcp_frontend(listener: Record, rules: Sequence[Record], bind: str) -> list[str]:
    idle = listener["_attributes"].get("tcp.idle_timeout.seconds", str(TCP_IDLE_SECONDS))
    return [
        f"frontend port-{listener['Port']}",
        bind,
        f"    timeout client {idle}s",
        f"    default_backend {backend(rules[-1]['Actions'][0]['TargetGroupArn'])}",
    ]


def _frontend(balancer: Record, listener: Record, rules: Sequence[Record], bind: str) -> list[str]:
    lines = [
        f"frontend port-{listener['Port']}",
        bind,
        "    http-request set-var(txn.t0) date(0,ms)",
        *_headers(balancer, listener),
    ]
    for number, rule in enumerate(rules):
        names = [f"r{number}c{place}" for place in range(len(rule["Conditions"]))]
        for name, condition in zip(names, rule["Conditions"], strict=True):
            lines += [f"    acl {name} {test}" for test in _tests(condition)]
        lines.append(
            f"    http-request set-var(txn.rule) int({number}) if !{{ var(txn.rule) -m found }} " + " ".join(names)
        )
    for number, rule in enumerate(rules):
        lines += _action(rule["Actions"][0], f"{{ var(txn.rule) -m int {number} }}", number, listener)
    return lines


def _headers(balancer: Record, listener: Record) -> list[str]:
    """What an Application Load Balancer adds to a request.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
    """
    values = balancer["_attributes"]
    client = "%[src]:%[src_port]" if values["routing.http.xff_client_port.enabled"] == "true" else "%[src]"
    forwarded = {
        "append": [
            f"    http-request set-header X-Forwarded-For %[req.fhdr(x-forwarded-for)],\\ {client} if has-xff",
            f"    http-request set-header X-Forwarded-For {client} if !has-xff",
        ],
        "preserve": [],
        "remove": ["    http-request del-header X-Forwarded-For"],
    }[values["routing.http.xff_header_processing.mode"]]
    secure = []
    if values["routing.http.x_amzn_tls_version_and_cipher_suite.enabled"] == "true" and _scheme(listener) == "https":
        secure = [
            "    http-request set-header X-Amzn-Tls-Version %[ssl_fc_protocol]",
            "    http-request set-header X-Amzn-Tls-Cipher-Suite %[ssl_fc_cipher]",
        ]
    fresh = "1-%[var(txn.time),lower]-%[uuid,regsub(-,,g),bytes(0,24)]"
    return [
        "    acl has-xff req.fhdr(x-forwarded-for) -m found",
        "    acl has-root req.fhdr(x-amzn-trace-id) -m sub Root=",
        *forwarded,
        *secure,
        f"    http-request set-header X-Forwarded-Proto {_scheme(listener)}",
        f"    http-request set-header X-Forwarded-Port {listener['Port']}",
        "    http-request set-var-fmt(txn.time) %{+X}Ts",
        f"    http-request set-header X-Amzn-Trace-Id Self={fresh};%[req.fhdr(x-amzn-trace-id)] if has-root",
        f"    http-request set-header X-Amzn-Trace-Id Root={fresh} if !has-root",
    ]


def _scheme(listener: Record) -> str:
    return "https" if listener["Protocol"] == "HTTPS" else "http"


def _tests(condition: dict[str, Any]) -> list[str]:
    """A condition as ACL lines, of which one has to fit."""
    field = condition["Field"]
    config = condition[CONFIGS[field]]
    values = config["Values"]
    if field == "path-pattern":
        return [f"path -m reg -- {quoted(f'^{glob(value)}$')}" for value in values]
    if field == "host-header":
        return [f"req.hdr(host),host_only -m reg -i -- {quoted(f'^{glob(value)}$')}" for value in values]
    if field == "http-header":
        return [f"req.fhdr({config['HttpHeaderName']}) -m reg -i -- {quoted(f'^{glob(value)}$')}" for value in values]
    if field == "http-request-method":
        return [f"method -m str -- {quoted(value)}" for value in values]
    if field == "source-ip":
        return [f"src -m ip -- {value}" for value in values]
    return [f"query -m reg -i -- {quoted(_query(value))}" for value in values]


def _query(pair: dict[str, str]) -> str:
    """A key and value of the query string as a regular expression. Without a key, any key may have the value."""
    value = glob(pair["Value"], "[^&]*", "[^&]")
    if "Key" in pair:
        return f"(^|&){glob(pair['Key'], '[^&=]*', '[^&=]')}={value}(&|$)"
    return f"(^|&)([^&=]*=)?{value}(&|$)"


def _action(action: dict[str, Any], test: str, number: int, listener: Record) -> list[str]:
    if action["Type"] == "forward":
        return _forward(action["ForwardConfig"], test, number)
    if action["Type"] == "redirect":
        return _redirect(action["RedirectConfig"], test, listener)
    config = action["FixedResponseConfig"]
    shows = listener["_attributes"].get("routing.http.response.server.enabled", "true") == "true"
    header = f" hdr Server {SERVER}" if shows else ""
    body = ""
    if config.get("MessageBody"):
        kind = config.get("ContentType") or "text/plain"
        body = f" content-type {quoted(kind + '; charset=utf-8')} string {quoted(config['MessageBody'])}"
    return [f"    http-request return status {config['StatusCode']}{body}{header} if {test}"]


def _forward(config: dict[str, Any], test: str, number: int) -> list[str]:
    groups = config["TargetGroups"]
    if len(groups) == 1:
        return [f"    use_backend {backend(groups[0]['TargetGroupArn'])} if {test}"]
    total = sum(group["Weight"] for group in groups)
    if not total:  # nothing may be chosen
        return [f"    http-request return status 503 {_page(f'503 {_REASONS[503]}')} if {test}"]
    sticky = config.get("TargetGroupStickinessConfig", {})
    lines = [f"    http-request set-var(txn.pick) rand({total}) if {test}"]
    chosen = "txn.group"
    if sticky.get("Enabled"):
        known = " ".join(_id(group["TargetGroupArn"]) for group in groups)
        lines.append(f"    acl r{number}kept req.cook(AWSALBTG) -m str -- {known}")
        lines.append(f"    http-request set-var({chosen}) req.cook(AWSALBTG) if {test} r{number}kept")
    below = 0
    for group in groups:
        below += group["Weight"]
        name = _id(group["TargetGroupArn"])
        pick = f"{{ var(txn.pick) -m int lt {below} }}"
        lines.append(f"    http-request set-var({chosen}) str({name}) if {test} {pick} !{{ var({chosen}) -m found }}")
    if sticky.get("Enabled"):
        lines += [f"    {line} if {test}" for line in _cookies("AWSALBTG", chosen, sticky["DurationSeconds"])]
    for group in groups:
        name = _id(group["TargetGroupArn"])
        use = f"{{ var({chosen}) -m str {name} }}"
        lines.append(f"    use_backend {backend(group['TargetGroupArn'])} if {test} {use}")
    return lines


def _cookies(name: str, variable: str, seconds: int) -> list[str]:
    """The pair of cookies that AWS sets: the second one is for requests from other sites."""
    value = f"%[var({variable})];\\ Expires=%[date({seconds}),http_date];\\ Path=/"
    return [
        f"http-after-response add-header Set-Cookie {name}={value}",
        f"http-after-response add-header Set-Cookie {name}CORS={value};\\ SameSite=None",
    ]


def _redirect(config: dict[str, str], test: str, listener: Record) -> list[str]:
    """A redirect; the query's `?` only where there is a query."""
    known = {
        "protocol": _scheme(listener), "port": str(listener["Port"]), "host": "%[req.hdr(host),host_only]",
        "path": "%[path,regsub(^/,)]", "query": "%[query]",
    }  # fmt: skip

    def filled(text: str) -> str:
        parts = _PLACEHOLDER.split(text.replace("%", "%%"))
        return "".join(known[part] if place % 2 else quoted(part) for place, part in enumerate(parts))

    protocol = config["Protocol"].lower()
    address = f"{filled(protocol)}://{filled(config['Host'])}:{filled(config['Port'])}{filled(config['Path'])}"
    code = config["StatusCode"].removeprefix("HTTP_")
    query = config["Query"]
    if not query:
        return [f"    http-request redirect location {address} code {code} if {test}"]
    with_query = f"    http-request redirect location {address}?{filled(query)} code {code} if {test}"
    if _PLACEHOLDER.sub("", query):  # never empty
        return [with_query]
    return [
        f"{with_query} {{ query -m len gt 0 }}",
        f"    http-request redirect location {address} code {code} if {test}",
    ]


# --- target groups ----------------------------------------------------------------------------------------------------


def _http_group(group: Record) -> list[str]:
    """The backend of a target group of an Application Load Balancer.

    HAProxy says 503 both when there is no server and when the connection fails; AWS says 502 for the second, and 504
    where it took as long as a connection may take. `be_conn_free` is 0 if no server can be used, and -1 otherwise, as
    our servers have no limit; `nbsrv` will not do, for it is 0 in a worker that is being replaced.
    """
    values = group["_attributes"]
    algorithm = {
        "least_outstanding_requests": "leastconn",
        "weighted_random": "random",
    }.get(values["load_balancing.algorithm.type"], "roundrobin")
    slow = f"{CONNECT_SECONDS * 1000 - 100}"
    failed = "{ status 503 } !{ var(txn.answered) -m found } !{ var(txn.nobody) -m found }"
    lines = [
        f"backend {backend(group['TargetGroupArn'])}",
        f"    balance {algorithm}",
        "    http-request set-var(txn.nobody) bool(true) if { be_conn_free eq 0 }",
        f"    http-request return status 503 {_page(f'503 {_REASONS[503]}')} if {{ be_conn_free eq 0 }}",
        f"    http-error status 503 {_page(f'502 {_REASONS[502]}')}",
        "    http-response set-var(txn.answered) bool(true)",
        f"    http-after-response set-var(txn.waited) date(0,ms),sub(txn.t0) if {failed}",
        f"    acl slow-connection var(txn.waited) -m int ge {slow}",
        f"    http-after-response set-status 504 reason Gateway\\ Time-out if {failed} slow-connection",
        f"    http-after-response set-status 502 reason Bad\\ Gateway if {failed}",
    ]
    if values["stickiness.enabled"] != "true":
        return lines
    kind = values["stickiness.type"]
    seconds = values[f"stickiness.{kind}.duration_seconds"]
    cookie = "AWSALB" if kind == "lb_cookie" else "AWSALBAPP-0"
    lines += [
        f"    stick-table type string len 64 size 100k expire {seconds}s peers own",
        f"    http-request set-var(txn.stick) req.cook({cookie})",
        "    http-request set-var(txn.stick) uuid if !{ var(txn.stick) -m found }",
        "    stick on var(txn.stick)",
    ]
    if kind == "lb_cookie":
        return lines + [f"    {line}" for line in _cookies(cookie, "txn.stick", int(seconds))]
    name = values["stickiness.app_cookie.cookie_name"]
    lines.append(f"    http-response set-var(txn.app) bool(true) if {{ res.cook({name}) -m found }}")
    value = _cookies(cookie, "txn.stick", int(seconds))[0]
    return [*lines, f"    {value} if {{ var(txn.app) -m found }}"]


def _tcp_group(group: Record) -> list[str]:
    lines = [f"backend {backend(group['TargetGroupArn'])}", "    balance roundrobin"]
    if group["_attributes"].get("stickiness.enabled") == "true":
        lines += ["    stick-table type ip size 100k expire 3600s peers own", "    stick on src"]
    return lines


def _check(group: Record) -> list[str]:
    """The backend of a group's health checks. It reads the whole answer, so a target sees no broken connection."""
    lines = [
        f"backend {check_backend(group['TargetGroupArn'])}",
        "    mode tcp",
        f"    timeout check {group['HealthCheckTimeoutSeconds']}s",
        f"    timeout connect {group['HealthCheckTimeoutSeconds']}s",
        f"    # every {group['HealthCheckIntervalSeconds']} s, port {group['HealthCheckPort']}, "
        f"{group['HealthyThresholdCount']} up, {group['UnhealthyThresholdCount']} down",
    ]
    if group["HealthCheckProtocol"] == "TCP":
        return lines
    return [
        *lines,
        "    option httpchk",
        f"    http-check connect {'ssl ' if group['HealthCheckProtocol'] == 'HTTPS' else ''}linger",
        f"    http-check send meth GET uri {quoted(group['HealthCheckPath'])} ver HTTP/1.1 "
        f"hdr Host %[srv_name] hdr User-Agent {CHECKER}",
        f"    http-check expect status {group['Matcher']['HttpCode']}",
        "    http-check expect ! string \\x01\\x02\\x03",
    ]
