# Makes a folder with Gazebo Classic 11 of Debian 11: build.sh FOLDER [MIRROR]. Called as root in
# namespaces of its own, as enter.sh.
set -e
folder=$1
debootstrap --variant=minbase bullseye "$folder" $2
echo "127.0.0.1 localhost $(hostname)" > "$folder/etc/hosts"
mount --bind /dev "$folder/dev"
mount -t proc proc "$folder/proc"
export DEBIAN_FRONTEND=noninteractive
chroot "$folder" apt-get install -y -q --no-install-recommends gazebo gazebo-plugin-base xvfb \
    libgl1-mesa-dri protobuf-compiler
# Only its definitions of messages are needed, not all that it depends on.
chroot "$folder" sh -e -c '
cd /tmp
apt-get download libgazebo-dev
dpkg -x libgazebo-dev_*.deb /opt/libgazebo-dev
cd /opt/libgazebo-dev/usr/include/gazebo-11/gazebo/msgs/proto
protoc -I. --include_imports --descriptor_set_out=/opt/gazebo.desc packet.proto subscribe.proto \
    publish.proto poses_stamped.proto image_stamped.proto
rm -rf /tmp/*
apt-get clean
'
