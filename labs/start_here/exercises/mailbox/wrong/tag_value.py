import boto3

sqs = boto3.client("sqs")
# A hyphen instead of the underscore.
queue = sqs.create_queue(QueueName="start-mailbox", tags={"chapter": "start-here"})
sqs.send_message(QueueUrl=queue["QueueUrl"], MessageBody="hello from chapter 00")
