# The data pool of a host that runs others' machines: `data`, `root` and `home` side by side on a disk of their own. Of the
# system's disk nothing is said here, since Proxmox installs itself.
{ lib }:
{
  disks,
  at ? "/srv/data",
  compress ? "zstd:3",
}:
let
  make = import ./layout.nix { inherit lib; };

  subvolumes = {
    data.at = "${at}/data";
    root.at = "${at}/root";
    home.at = "${at}/home";
  };
in
make.layout {
  disk.main = make.disk disks.main {
    data = {
      size = "100%";
      content = make.pool "data" { inherit compress; } subvolumes;
    };
  };
  inherit subvolumes;
}
