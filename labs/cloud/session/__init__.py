"""Session Manager's protocol: its messages, a client of it, and the program with which the AWS CLI opens a session."""
