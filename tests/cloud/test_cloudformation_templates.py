"""Templates: what is refused before anything is made, functions, parameters, conditions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from formation_lab import (
    body,
    create,
    delete,
    events,
    formation,
    outputs,
    physical,
    refused,
    settled,
    stack,
    unique,
    update,
)

from labs import settings

pytestmark = pytest.mark.usefixtures("local_aws")

TOPIC = {"Type": "AWS::SNS::Topic"}
UNRECOGNIZED = "Template format error: Unrecognized resource types: "


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{", "Template format error: JSON not well-formed. (line 1, column 2)"),
        ("a: [", "Template format error: YAML not well-formed. (line 1, column 5)"),
        ("just text", "Template format error: unsupported structure."),
        ("Description: nothing else", "Template format error: At least one Resources member must be defined."),
        (body({"T": TOPIC}, Outputz={}), "Invalid template property or properties [Outputz]"),
        (body({"T": {}}), "Template format error: [/Resources/T] Every Resources object must contain a Type member."),
        (body({"a-b": TOPIC}), "Template format error: Resource name a-b is non alphanumeric."),
        (body({"T": {**TOPIC, "Propertis": {}}}), "Invalid template resource property 'Propertis'"),
        (body({"T": {**TOPIC, "Properties": {"DisplayName": {"Ref": "Nobody"}}}}),
         "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template"),
        (body({"T": {**TOPIC, "Properties": {"DisplayName": {"Fn::Sub": "${Nobody.Arn}"}}}}),
         "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template"),
        (body({"T": TOPIC}, Outputs={"O": {"Value": {"Fn::GetAtt": ["Nobody", "Arn"]}}}),
         "Template format error: Unresolved resource dependencies [Nobody] in the Outputs block of the template"),
        (body({"T": {**TOPIC, "DependsOn": "U"}, "U": {**TOPIC, "DependsOn": ["T"]}}),
         "Circular dependency between resources: [T, U]"),
        (body({"T": {"Type": "AWS::ECS::TaskSet"}}), f"{UNRECOGNIZED}[AWS::ECS::TaskSet]"),
        (body({"T": {"Type": "Custom::Thing"}, "U": {"Type": "AWS::ECS::Klaster"}}),
         f"{UNRECOGNIZED}[AWS::ECS::Klaster, Custom::Thing]"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_is_refused_and_leaves_nothing(template: str, why: str) -> None:
    assert refused("create_stack", StackName="never", TemplateBody=template) == ("ValidationError", why)
    assert refused("validate_template", TemplateBody=template) == ("ValidationError", why)
    assert not any(one["StackName"] == "never" for one in formation().list_stacks()["StackSummaries"])


def test_nothing_is_made_of_a_type_that_the_backend_does_not_have() -> None:
    """MiniStack says so at once, as AWS does; LocalStack when the resource is made."""
    name, template = unique("topik"), body({"T": {"Type": "AWS::SNS::Topik"}})
    try:
        stack_id = create(name, template, wait=None)
    except ClientError as problem:
        why = problem.response["Error"]["Message"]
    else:
        assert settled(name)["StackStatus"] == "ROLLBACK_COMPLETE"
        [why] = [reason for logical, status, reason in events(stack_id) if (logical, status) == ("T", "CREATE_FAILED")]
        delete(name)
    assert "Unrecognized resource type" in why
    assert "AWS::SNS::Topik" in why


def test_roles_need_a_capability() -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
    document = {"Version": "2012-10-17", "Statement": []}
    role: dict[str, Any] = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}
    code = "InsufficientCapabilitiesException"
    template = body({"Role": role})
    assert refused("create_stack", StackName="never", TemplateBody=template) == (
        code, "Requires capabilities : [CAPABILITY_IAM]",
    )  # fmt: skip
    assert formation().validate_template(TemplateBody=template)["Capabilities"] == ["CAPABILITY_IAM"]
    role["Properties"]["RoleName"] = "named"
    assert refused(
        "create_stack", StackName="never", TemplateBody=body({"Role": role}), Capabilities=["CAPABILITY_IAM"]
    ) == (code, "Requires capabilities : [CAPABILITY_NAMED_IAM]")


FUNCTIONS = """
Parameters:
  Names: {Type: CommaDelimitedList, Default: "a, b,c"}
  Size: {Type: Number, Default: 3}
  Where: {Type: String, Default: there}
Mappings:
  Regions:
    us-east-1: {Letter: v, List: [x, y]}
Conditions:
  There: !Equals [!Ref Where, there]
  Big: !Not [!Equals [!Ref Size, 3]]
  Either: !Or [!Condition There, !Condition Big]
  Both: !And [{Condition: There}, !Condition Big]
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: !If [Big, big, !Ref AWS::NoValue]
  Left:
    Type: AWS::SNS::Topic
    Condition: Both
Outputs:
  Join: {Value: !Join ["-", !Ref Names]}
  Select: {Value: !Select [1, !Ref Names]}
  Split: {Value: !Select [2, !Split ["|", "x|y|z"]]}
  Sub: {Value: !Sub "${Where} ${!Literal} ${AWS::Region} ${AWS::AccountId}"}
  SubMap: {Value: !Sub ["${A}/${Where}", {A: !Select [0, !Ref Names]}]}
  Attribute: {Value: !GetAtt Topic.TopicName}
  SubAttribute: {Value: !Sub "${Topic.TopicName}"}
  Map: {Value: !FindInMap [Regions, !Ref "AWS::Region", Letter]}
  MapList: {Value: !Select [1, !FindInMap [Regions, us-east-1, List]]}
  Base64: {Value: !Base64 hello}
  Zones: {Value: !Join [",", !GetAZs ""]}
  Cidr: {Value: !Select [2, !Cidr ["10.0.0.0/16", 3, 8]]}
  Either: {Value: !If [Either, "yes it is", "no"]}
  Both: {Condition: Both, Value: never}
  Date: {Value: 2020-01-02}
  Partition: {Value: !Sub "arn:${AWS::Partition}:x:${AWS::URLSuffix}:${AWS::StackName}"}
"""


def test_functions_resolve_as_documented() -> None:
    name = unique("functions")
    create(name, FUNCTIONS)
    topic = physical(name, "Topic").rpartition(":")[2]
    assert outputs(name) == {
        "Join": "a-b-c",
        "Select": "b",
        "Split": "z",
        "Sub": f"there ${{Literal}} {settings.REGION} {settings.ACCOUNT}",
        "SubMap": "a/there",
        "Attribute": topic,
        "SubAttribute": topic,
        "Map": "v",
        "MapList": "y",
        "Base64": "aGVsbG8=",
        "Zones": outputs(name)["Zones"],
        "Cidr": "10.0.2.0/24",
        "Either": "yes it is",
        "Date": "2020-01-02",
        "Partition": f"arn:aws:x:amazonaws.com:{name}",
    }
    assert outputs(name)["Zones"].startswith("us-east-1a,us-east-1b")
    assert [one["LogicalResourceId"] for one in formation().list_stack_resources(StackName=name)[
        "StackResourceSummaries"]] == ["Topic"]  # fmt: skip
    attributes = boto3.client("sns").get_topic_attributes(TopicArn=physical(name, "Topic"))["Attributes"]
    assert attributes.get("DisplayName") != "big"

    # A condition that becomes true makes its resource, and the property that was left out.
    update(name, Parameters=[{"ParameterKey": "Size", "ParameterValue": "4"}])
    assert physical(name, "Left")
    assert outputs(name)["Both"] == "never"
    attributes = boto3.client("sns").get_topic_attributes(TopicArn=physical(name, "Topic"))["Attributes"]
    assert attributes["DisplayName"] == "big"
    delete(name)


@pytest.mark.parametrize(
    ("declared", "given", "why"),
    [
        ({"Type": "String"}, None, "Parameters: [P] must have values"),
        ({"Type": "Number"}, "x", "Parameter 'P' must be a number."),
        ({"Type": "Number", "MaxValue": 4}, "5", "Parameter 'P' must be a number not greater than 4"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "Parameter 'P' must match pattern [a-z]+"),
        ({"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "small letters only"}, "A",
         "Parameter 'P' small letters only"),
        ({"Type": "String", "MinLength": 3}, "ab", "Parameter 'P' must contain at least 3 characters"),
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues [a, b]"),
        ({"Type": "Nonsense"}, "c", "Template format error: Unrecognized parameter type: Nonsense"),
        ({"Type": "AWS::EC2::VPC::Id"}, "vpc-0000",
         "Parameter validation failed: parameter value vpc-0000 for parameter name P does not exist"),
        ({"Type": "AWS::SSM::Parameter::Value<String>"}, "/not/there",
         "Unable to fetch parameters [/not/there] from parameter store for this account."),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_are_refused(declared: dict[str, Any], given: str | None, why: str) -> None:
    template = body({"T": TOPIC}, Parameters={"P": declared})
    values = [{"ParameterKey": "P", "ParameterValue": given}] if given else []
    found = refused("create_stack", StackName="never", TemplateBody=template, Parameters=values)
    assert found == ("ValidationError", why)


def test_parameters_that_nobody_asked_for_are_refused() -> None:
    found = refused("create_stack", StackName="never", TemplateBody=body({"T": TOPIC}),
                    Parameters=[{"ParameterKey": "Q", "ParameterValue": "1"}])  # fmt: skip
    assert found == ("ValidationError", "Parameters: [Q] do not exist in the template")


def test_a_parameter_without_echo_is_hidden_and_secrets_are_looked_up() -> None:
    name = unique("secret")
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"key": "hush"}))
    text = "${Prefix}-" + f"{{{{resolve:secretsmanager:{name}:SecretString:key}}}}"
    cluster = {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": {"Fn::Sub": text}}}
    template = body({"Cluster": cluster}, Parameters={"Prefix": {"Type": "String", "NoEcho": True}})
    create(name, template, Parameters=[{"ParameterKey": "Prefix", "ParameterValue": name}])
    assert stack(name)["Parameters"] == [{"ParameterKey": "Prefix", "ParameterValue": "****"}]
    assert physical(name, "Cluster") == f"{name}-hush"
    assert formation().get_template(StackName=name)["TemplateBody"] == json.loads(template)
    summary = formation().get_template_summary(StackName=name)
    assert summary["ResourceTypes"] == ["AWS::ECS::Cluster"]
    assert summary["Parameters"][0]["NoEcho"] is True
    delete(name)


def test_a_template_in_s3_is_read() -> None:
    name = unique("in-s3")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a folder/t.json", Body=body({"T": TOPIC}).encode())
    for url in (
        f"{settings.gateway_url()}/{name}/a%20folder/t.json",
        f"https://{name}.s3.us-east-1.amazonaws.com/a%20folder/t.json",
        f"https://s3.amazonaws.com/{name}/a folder/t.json",
    ):
        assert "Parameters" in formation().validate_template(TemplateURL=url)
    code, message = refused("create_stack", StackName=name, TemplateURL=f"https://{name}.s3.amazonaws.com/none.json")
    assert (code, "S3 error" in message) == ("ValidationError", True)
    assert refused("create_stack", StackName=name, TemplateURL="https://example.com/t.json")[1] == (
        "TemplateURL must be a supported URL."
    )
