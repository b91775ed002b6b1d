# A desktop with Windows on a disk of its own, which is left alone, several Linux systems on another one, and a USB disk for
# copies. The kernels of all systems are in one `/boot`; `/boot/efi2` is the second ESP, beside that of Windows.
#
# Roots of other distributions are made and not mounted. The USB disk is never wiped; nothing of it is mounted at start, since
# it comes and goes: its Btrfs is found by uuid when it is plugged in.
{ lib }:
{
  disks,
  swapSize ? "64G",
  otherRoots ? [
    "@rootTW"
    "@rootF41"
    "@rootNobara"
  ],
  nixNoCow ? false,
  compress ? "zstd:3",
}:
let
  make = import ./layout.nix { inherit lib; };
  common = import ./subvolumes.nix { inherit lib; };

  subvolumes = {
    "@rootNixOS".at = "/";
    "@nix" = common.nix nixNoCow;
    "@home".at = "/home";
    "@snapshots".at = "/.snapshots";
    "Atlantis-meta".at = "/srv/meta";
  }
  // lib.genAttrs otherRoots (_: { });

  unmounted = format: {
    type = "filesystem";
    inherit format;
  };
in
make.layout {
  disk = {
    main = make.disk disks.main {
      ESP = make.esp "512M" "/boot/efi2";
      boot = {
        size = "1G";
        priority = 2;
        content = unmounted "ext4" // {
          mountpoint = "/boot";
        };
      };
      swap = {
        size = swapSize;
        priority = 3;
        content = {
          type = "swap";
          discardPolicy = "once";
        };
      };
      root = {
        size = "100%";
        content = make.pool "LINPOOL" { inherit compress; } subvolumes;
      };
    };
  }
  // lib.optionalAttrs (disks ? usb) {
    usb =
      make.disk disks.usb {
        windows = {
          size = "1T";
          priority = 1;
          # Microsoft basic data; Windows formats it.
          type = "0700";
        };
        cushion = {
          size = "500G";
          priority = 2;
          content = unmounted "ext4";
        };
        copies = {
          size = "100%";
          content = make.pool "LINBKUP" { inherit compress; } { };
        };
      }
      // {
        destroy = false;
      };
  };
  inherit subvolumes;
}
