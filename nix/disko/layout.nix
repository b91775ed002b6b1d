# What layouts are made of: partitions, pools and subvolumes as disko has them.
#
# Btrfs has one set of its own mount options for a whole pool, and the first mount decides. So all subvolumes of a pool are
# mounted alike, but for what the VFS looks at (`noatime`, `nodev`, `nosuid`), and what is wanted of a single one is an inode
# attribute: it is set when the pool is made, and again by the module.
{ lib }:
let
  algorithm = (import ../lib/attributes.nix { inherit lib; }).algorithm;
in
rec {
  esp = size: mountpoint: {
    inherit size;
    type = "EF00";
    priority = 1;
    content = {
      type = "filesystem";
      format = "vfat";
      inherit mountpoint;
      mountOptions = [ "umask=0077" ];
    };
  };

  # For firmware without UEFI, as many rented machines have.
  biosBoot = {
    size = "1M";
    type = "EF02";
    priority = 1;
  };

  disk = device: partitions: {
    type = "disk";
    inherit device;
    content = {
      type = "gpt";
      inherit partitions;
    };
  };

  # A subvolume: where it is mounted (`null`: nowhere), and what is wanted of it. `flags` are the VFS's options.
  subvolume =
    {
      at ? null,
      flags ? [ ],
      noCow ? false,
      compression ? null,
      owner ? null,
      swap ? null,
    }:
    {
      inherit
        at
        flags
        noCow
        compression
        owner
        swap
        ;
    };

  # The options of a pool.
  poolOptions =
    {
      compress ? "zstd:3",
      ssd ? false,
      autodefrag ? false,
    }:
    [
      "compress=${compress}"
      "space_cache=v2"
      "discard=async"
    ]
    ++ lib.optional ssd "ssd"
    ++ lib.optional autodefrag "autodefrag";

  # A Btrfs with its subvolumes, as the content of a partition.
  pool =
    label: options: subvolumes:
    let
      named = lib.mapAttrs (_: subvolume) subvolumes;
      mounted = sub: {
        mountpoint = sub.at;
        mountOptions = [ "noatime" ] ++ sub.flags ++ poolOptions options;
      };
    in
    {
      type = "btrfs";
      extraArgs = [
        "--label"
        label
      ];
      postCreateHook = hook named;
      subvolumes = lib.mapAttrs (
        _: sub:
        lib.optionalAttrs (sub.at != null) (mounted sub)
        // lib.optionalAttrs (sub.swap != null) { swap.swapfile.size = sub.swap; }
      ) named;
    };

  # Sets attributes while the subvolumes are empty: what is installed gets them then. disko tells the device.
  hook =
    subvolumes:
    let
      names = builtins.attrNames subvolumes;
      without = builtins.filter (name: subvolumes.${name}.noCow) names;
      compressed = builtins.filter (name: subvolumes.${name}.compression != null) names;
      lines =
        map (name: "chattr +C \"$top/${name}\"") without
        ++ map (
          name:
          "btrfs property set \"$top/${name}\" compression ${algorithm subvolumes.${name}.compression}"
        ) compressed;
    in
    lib.optionalString (lines != [ ]) ''
      top=$(mktemp -d)
      mount -t btrfs -o subvol=/ "$device" "$top"
      trap 'umount "$top"; rmdir "$top"' EXIT
      ${builtins.concatStringsSep "\n" lines}
    '';

  # What the module sets at each start, by mount point.
  attributesOf =
    subvolumes:
    let
      isWanted = sub: sub.at != null && (sub.noCow || sub.compression != null || sub.owner != null);
      named = lib.filterAttrs (_: isWanted) (lib.mapAttrs (_: subvolume) subvolumes);
    in
    lib.mapAttrs' (_: sub: lib.nameValuePair sub.at { inherit (sub) noCow compression owner; }) named;

  # A layout: the disks, and the subvolumes of all pools. `ephemeral` are those that hold nothing which must last.
  layout =
    {
      disk,
      subvolumes,
      ephemeral ? [ ],
      neededForBoot ? [ ],
    }:
    let
      subvaultAttributes = attributesOf subvolumes;
    in
    {
      devices = { inherit disk; };
      inherit subvaultAttributes ephemeral;
      # All of it, as a module of NixOS.
      module = {
        disko.devices = { inherit disk; };
        services.subvault.attributes = subvaultAttributes;
        fileSystems = lib.genAttrs neededForBoot (_: {
          neededForBoot = true;
        });
      };
    };
}
