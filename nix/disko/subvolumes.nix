# Subvolumes that several layouts have.
#
# Databases and containers are overwritten in place: they lose checksums and compression by it. The store of Nix keeps
# copy-on-write, since hard links work with it as well.
{ lib }:
let
  # What nobody opens devices or privileged programs in.
  data = [
    "nodev"
    "nosuid"
  ];
in
{
  nix = noCow: { at = "/nix"; } // (if noCow then { noCow = true; } else { compression = "zstd:1"; });

  log = {
    at = "/var/log";
    flags = data;
  };

  cache = {
    at = "/var/cache";
    flags = data;
    compression = "zstd:1";
  };

  tmp = {
    at = "/tmp";
    flags = data;
    noCow = true;
  };

  containers = {
    at = "/var/lib/containers";
    noCow = true;
  };

  databases = {
    "@postgresql" = {
      at = "/var/lib/postgresql";
      noCow = true;
    };
    "@redis" = {
      at = "/var/lib/redis";
      noCow = true;
    };
  };

  # A swap file, made without copy-on-write by `btrfs filesystem mkswapfile`.
  swap = size: {
    at = "/swap";
    swap = size;
  };

  ofUser = user: directory: {
    at = "/home/${user}/${directory}";
    owner = user;
  };
}
