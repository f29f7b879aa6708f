import boto3

# Everything but the message.
boto3.client("sqs").create_queue(QueueName="start-mailbox", tags={"chapter": "start_here"})
