# Says its version, then lives until it is told to stop.
trap 'exit 0' TERM
echo "version $APP_VERSION is here"
while :; do sleep 1; done
