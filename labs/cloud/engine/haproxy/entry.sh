# Starts HAProxy as a master with a worker, so that it takes a new configuration without losing a connection.
# /lb holds the configuration and the sockets. Where that folder is not the gateway's, CONFIG brings the first one.
umask 077
if [ -n "${CONFIG:-}" ]; then
    printf '%s' "$CONFIG" > /lb/haproxy.cfg
    unset CONFIG
fi
exec haproxy -W -db -L lb -S /lb/master.sock -f /lb/haproxy.cfg
