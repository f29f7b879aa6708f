"""Apply the wiring to the tree given."""
import sys
from pathlib import Path
root=Path(sys.argv[1])
def sub(f,*pairs):
    p=root/f; s=p.read_text()
    for a,b in pairs:
        assert s.count(a)==1,(f,a,s.count(a)); s=s.replace(a,b)
    p.write_text(s)
sub("labs/cloud/ecs/state.py",
 ("from labs.cloud.frame.background","from labs.cloud.ecs.execute_session import Sessions\nfrom labs.cloud.frame.background"),
 ("    agent: Agent = field(init=False)","    sessions: Sessions = field(default_factory=Sessions)  # of ECS Exec\n    agent: Agent = field(init=False)"))
sub("labs/cloud/ecs/api.py",("    clusters,\n    protection","    clusters,\n    execute,\n    protection"),("capacity_providers, clusters, protection","capacity_providers, clusters, execute, protection"),("service_deployments, services, tags,\n    task_definitions, tasks,","service_deployments, services,\n    tags, task_definitions, tasks,"))
sub("labs/cloud/ecs/life.py",("    engine_calls,\n","    engine_calls,\n    execute,\n"),
 ('        record["lastStatus"] = "RUNNING"\n        self._unseen.add(name)','        record["lastStatus"] = "RUNNING"\n        execute.keep_agent(self.task, container, record)\n        self._unseen.add(name)'),
 ('        return record != before\n','        execute.keep_agent(self.task, self._containers[record["name"]], record)\n        return record != before\n'),
 ('        for record in self._records.values():\n            record["lastStatus"] = "STOPPED"\n','        for name, record in self._records.items():\n            record["lastStatus"] = "STOPPED"\n            execute.keep_agent(self.task, self._containers[name], record)\n'))
sub("labs/cloud/control_plane.py",('''    def condition(self)''','''    async def open_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: the WebSocket of a session of ECS Exec."""
        await self._ecs.ecs.sessions(scope, receive, send)

    def condition(self)'''))
sub("labs/cloud/gateway.py",('''    def condition(self) -> dict[str, Any]:
        """What `/_course/health` says about them."""''','''    async def open_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a WebSocket at `SESSION`, of a session of ECS Exec."""

    def condition(self) -> dict[str, Any]:
        """What `/_course/health` says about them."""'''),
 ('STOP = "/_course/stop"\n','STOP = "/_course/stop"\nSESSION = "/_course/session/"\n'),
 ('''        elif scope["type"] == "websocket":
            await self.backend''','''        elif scope["type"] == "websocket" and scope["path"].startswith(SESSION):
            await self._ours.open_session(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.backend'''))
sub("labs/cloud/ecs/tasks.py",('''    subnets = await launch.subnets(request.region, definition, request.get("networkConfiguration"))
    if again''','''    if request.get("enableExecuteCommand"):
        execute.require_role(definition, request.get("overrides"), "The task couldn't be run")
    subnets = await launch.subnets(request.region, definition, request.get("networkConfiguration"))
    if again'''),("from labs.cloud.ecs import launch,","from labs.cloud.ecs import execute, launch,"))
sub("labs/machine/environment.py",
 ('    _write_path_file()\n    ready','    _write_path_file()\n    _make_session_plugin()\n    ready'),
 ('''    if tests and stamp.get("tests")''','''    if session_plugin.wanted(settings.venv_python()):
        return "the AWS CLI's session-manager-plugin is missing"
    if tests and stamp.get("tests")'''),
 ('''def _python_works()''','''def _make_session_plugin() -> None:
    """The program that the AWS CLI runs for `aws ecs execute-command`, unless AWS's own one is installed."""
    if not session_plugin.wanted(settings.venv_python()):
        return
    try:
        session_plugin.install(settings.venv_python())
    except session_plugin.InstallError as problem:
        raise console.Trouble(f"{problem}\\nWhen that is mended, run this again.") from problem


def _python_works()'''),
 ("from labs import settings\n","from labs import settings\nfrom labs.cloud.session import install as session_plugin\n"))
