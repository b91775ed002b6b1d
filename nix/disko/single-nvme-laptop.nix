# A laptop with one NVMe disk: one pool for everything.
{ lib }:
{
  disks,
  databases ? false,
  nixNoCow ? false,
  compress ? "zstd:3",
  autodefrag ? false,
}:
let
  make = import ./layout.nix { inherit lib; };
  common = import ./subvolumes.nix { inherit lib; };
  options = {
    inherit compress autodefrag;
    ssd = true;
  };

  subvolumes = {
    "@".at = "/";
    "@home".at = "/home";
    "@nix" = common.nix nixNoCow;
    "@log" = common.log;
    "@containers" = common.containers;
    "@backups".at = "/var/backup";
  }
  // lib.optionalAttrs databases common.databases;
in
make.layout {
  disk.main = make.disk disks.main {
    ESP = make.esp "1G" "/boot";
    root = {
      size = "100%";
      content = make.pool "system" options subvolumes;
    };
  };
  inherit subvolumes;
}
