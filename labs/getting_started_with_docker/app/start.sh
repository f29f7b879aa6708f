# Many images start their program from a script like this one. Exercise stop_gracefully asks what is wrong with it.
echo "preparing"
python3 server.py
