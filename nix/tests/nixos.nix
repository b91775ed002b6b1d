# As much of NixOS as the hosts here touch: its options without what they do, and packages that are names.
{ lib }:
let
  inherit (lib) mkOption types;

  # What is said is there and nothing else is known of it.
  said = mkOption {
    type = types.anything;
    default = { };
  };

  list = mkOption {
    type = types.listOf types.anything;
    default = [ ];
  };

  package = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
  };

  surroundings = {
    options = {
      assertions = list;
      warnings = list;
      boot = said;
      disko = said;
      environment.etc = said;
      environment.systemPackages = list;
      fileSystems = said;
      networking = said;
      nixpkgs = said;
      services.postgresql = said;
      services.redis = said;
      services.udev.packages = list;
      system = said;
      systemd.services = said;
      systemd.timers = said;
      systemd.slices = said;
      systemd.tmpfiles.rules = list;
      time = said;
      users = said;
    };

    # Packages of services are chosen by NixOS.
    config.services.postgresql.package = package "postgresql";
    config.services.redis.package = package "redis";
  };
in
{
  pkgs = {
    util-linux = package "util-linux";
    cryptsetup = package "cryptsetup";
    openssh = package "openssh";
    btrfs-progs = package "btrfs-progs";
    subvault = package "subvault";
    callPackage = _: _: package "subvault";
    writeTextDir = path: text: package "rules" // { inherit path text; };
    writeText = name: text: package name // { inherit text; };
  };

  inherit surroundings;
}
