import json

import boto3

ecr, iam = boto3.client("ecr"), boto3.client("iam")
repository = ecr.create_repository(repositoryName="ecr-shop")["repository"]

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
iam.create_role(RoleName="ecr-shop-puller", AssumeRolePolicyDocument=json.dumps(trust))
pulling = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
policy = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": pulling, "Resource": repository["repositoryArn"]},
    ],
}
iam.put_role_policy(RoleName="ecr-shop-puller", PolicyName="pull", PolicyDocument=json.dumps(policy))
