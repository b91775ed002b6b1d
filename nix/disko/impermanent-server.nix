# A server whose root is made anew at each start: what must last is in subvolumes of its own, and `/persist` holds what is
# bound back into the root. Old roots are kept in `old_roots` for a while.
{ lib }:
{
  disks,
  nixNoCow ? false,
  compress ? "zstd:3",
}:
let
  make = import ./layout.nix { inherit lib; };
  common = import ./subvolumes.nix { inherit lib; };

  permanent = {
    "@nix" = common.nix nixNoCow;
    "@persist".at = "/persist";
    "@log" = common.log;
    "@services".at = "/var/lib/services";
    "@caddy".at = "/var/lib/caddy";
    "@backup".at = "/var/backup";
    "@containers" = common.containers;
  };

  ephemeral = {
    "@".at = "/";
    "@cache" = common.cache // {
      compression = null;
    };
    "@var-tmp" = common.tmp // {
      at = "/var/tmp";
    };
  };

  archive = {
    "@snapshots".at = "/.snapshots";
    "old_roots" = { };
  };

  subvolumes = permanent // ephemeral // archive;
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
  ephemeral = builtins.attrNames ephemeral;
  neededForBoot = [ "/persist" ];
}
