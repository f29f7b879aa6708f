# Says which version it is, then lives until it is told to stop.
trap 'exit 0' TERM
cat version.txt
while :; do sleep 1; done
