# A laptop with two NVMe disks: the system, homes and development on the first, and what is rewritten a lot, containers and
# caches, on the second. Two pools, each with its own failures.
#
# `user` is who works there; without one there are no subvolumes inside of a home.
{ lib }:
{
  disks,
  user ? null,
  databases ? false,
  devNoCow ? false,
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

  first = {
    "@".at = "/";
    "@home".at = "/home";
    "@nix" = common.nix nixNoCow;
    "@log" = common.log;
  }
  // lib.optionalAttrs (user != null) {
    "@dev-projects" = {
      at = "/home/${user}/dev";
      owner = user;
      noCow = devNoCow;
    };
  };

  second = {
    "@containers" = common.containers;
    "@cache" = common.cache;
    "@podman-cache".at = "/var/cache/podman";
    # Snapshots of the subvolumes of this disk: those of the first stay on the first.
    "@snapshots".at = "/.snapshots";
    "@tmp" = common.tmp;
  }
  // lib.optionalAttrs (user != null) { "@user-cache" = common.ofUser user ".cache"; }
  // lib.optionalAttrs databases (common.databases // { "@backups".at = "/var/backup"; });
in
make.layout {
  disk = {
    primary = make.disk disks.primary {
      ESP = make.esp "1G" "/boot";
      root = {
        size = "100%";
        content = make.pool "system" options first;
      };
    };
    secondary = make.disk disks.secondary {
      data = {
        size = "100%";
        content = make.pool "work" options second;
      };
    };
  };
  subvolumes = first // second;
}
