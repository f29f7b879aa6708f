import boto3

sqs = boto3.client("sqs")
# Many services take tags as a list of Key and Value. SQS takes a plain dictionary, and so gets two odd tags.
queue = sqs.create_queue(QueueName="start-mailbox", tags={"Key": "chapter", "Value": "start_here"})
sqs.send_message(QueueUrl=queue["QueueUrl"], MessageBody="hello from chapter 00")
