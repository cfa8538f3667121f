# Runs a command inside of the folder: enter.sh FOLDER COMMAND... Called in a mount namespace and
# a process namespace of its own, so that the kernel takes back mounts and processes, whatever
# happens to us.
set -e
folder=$1
shift
mount --bind /dev "$folder/dev"
mount -t proc proc "$folder/proc"
mount -t tmpfs tmpfs "$folder/tmp"
exec chroot "$folder" "$@"
