import boto3

sqs = boto3.client("sqs")
# The tag is forgotten.
queue = sqs.create_queue(QueueName="start-mailbox")
sqs.send_message(QueueUrl=queue["QueueUrl"], MessageBody="hello from chapter 00")
