#!/bin/sh
# Stands in for the hub's binary in the unit tests of src/hub.rs: prints as it does, then waits for its end.
case "$*" in
    *--help*)
        echo "Usage: stand-in serve"
        exit
        ;;
    *broken*)
        echo "cannot open the data folder" >&2
        exit 3
        ;;
esac
echo "hub-appliance 0.0.0"
echo "a warning" >&2
echo "listening on http://127.0.0.1:4001/"
exec sleep 600
