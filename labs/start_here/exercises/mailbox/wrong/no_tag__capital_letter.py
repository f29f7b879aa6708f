import boto3

sqs = boto3.client("sqs")
# Tag keys are case-sensitive.
queue = sqs.create_queue(QueueName="start-mailbox", tags={"Chapter": "start_here"})
sqs.send_message(QueueUrl=queue["QueueUrl"], MessageBody="hello from chapter 00")
