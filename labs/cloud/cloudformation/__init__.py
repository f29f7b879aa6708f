"""CloudFormation: an engine of our own for whole stacks.

Decision. A backend's CloudFormation makes ECS, ECR and load balancing resources in its own store, refuses types that it
lacks, makes one resource after the other, tells a stack's end before a service is steady, and forgets a stack under way
when it is killed. Handing it our types as custom resources would keep all of that, and an emulator that answers custom
resources through a Lambda function has to start one for each. So stacks are ours: template, functions, order, events,
change sets, rollback, exports.

A resource of a service of ours is made through that service's public API (`kinds/`). A resource of any other type is
handed to the backend's CloudFormation as a hidden stack of one resource (`kinds/foreign.py`), with all functions
resolved here. That needs nothing of a backend but its public API, and works on every backend that has CloudFormation.
"""
