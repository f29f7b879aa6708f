import boto3

sqs = boto3.client("sqs")
# A name from memory.
queue = sqs.create_queue(QueueName="start-mail-box", tags={"chapter": "start_here"})
sqs.send_message(QueueUrl=queue["QueueUrl"], MessageBody="hello from chapter 00")
