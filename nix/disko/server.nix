# A server or a rented machine with one disk: one pool, with a subvolume for each kind of data. Starts with and without UEFI.
#
# `user` is who works there; without one there are no subvolumes inside of a home.
{ lib }:
{
  disks,
  user ? null,
  databases ? false,
  swapSize ? "8G",
  nixNoCow ? false,
  compress ? "zstd:3",
}:
let
  make = import ./layout.nix { inherit lib; };
  common = import ./subvolumes.nix { inherit lib; };

  ofUser = {
    "@dev" = common.ofUser user "dev";
    "@config" = common.ofUser user ".config";
    "@local" = common.ofUser user ".local";
    "@user-cache" = common.ofUser user ".cache";
    "@ai-tools" = common.ofUser user ".ai-tools";
  };

  subvolumes = {
    "@".at = "/";
    "@home".at = "/home";
    "@nix" = common.nix nixNoCow;
    "@log" = common.log;
    "@var-cache" = common.cache;
    "@tmp" = common.tmp;
    "@containers" = common.containers;
    "@swap" = common.swap swapSize;
  }
  // lib.optionalAttrs (user != null) ofUser
  // lib.optionalAttrs databases common.databases;
in
make.layout {
  disk.main = make.disk disks.main {
    boot = make.biosBoot;
    ESP = make.esp "1G" "/boot" // {
      priority = 2;
    };
    root = {
      size = "100%";
      content = make.pool "system" { inherit compress; } subvolumes;
    };
  };
  inherit subvolumes;
}
