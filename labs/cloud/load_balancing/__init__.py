"""Elastic Load Balancing v2: the API, and HAProxy, which passes the bytes and checks the targets."""
