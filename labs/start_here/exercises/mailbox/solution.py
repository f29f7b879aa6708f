import boto3

sqs = boto3.client("sqs")
queue = sqs.create_queue(QueueName="start-mailbox", tags={"chapter": "start_here"})
sqs.send_message(QueueUrl=queue["QueueUrl"], MessageBody="hello from chapter 00")
