import boto3

sqs = boto3.client("sqs")
url = sqs.create_queue(QueueName="start-mailbox", tags={"chapter": "start_here"})["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="hello from chapter 00")
# Curiosity: reading it and deleting it, as a real consumer does.
for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
