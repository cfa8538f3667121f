# Starts gzserver on a screen that nobody sees: start.sh WORLD. The first line that it prints is
# the number of the display. For sh of Debian and Ubuntu.
set -e
pipe=$(mktemp -u)
mkfifo "$pipe"
Xvfb -displayfd 3 -screen 0 640x480x24 -nolisten tcp 3>"$pipe" &
read -r number < "$pipe"
rm "$pipe"
echo "display :$number"
export DISPLAY=":$number"
# --lockstep: the simulation waits for the camera, so that no image is left out on a slow machine.
# nice: drawing takes all that it can get, and what is tested is the node beside it.
nice -n 19 gzserver --verbose --lockstep "$1"
