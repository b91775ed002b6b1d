# A laptop with one NVMe disk, for travelling. At most an hour may be lost.
{ lib, ... }:
let
  layout = (import ../disko { inherit lib; }).single-nvme-laptop {
    # `ls /dev/disk/by-id` has names that do not change with the order of detection.
    disks.main = "/dev/nvme0n1";
  };
in
{
  imports = [
    ./common.nix
    ../profiles/laptop.nix
    ../profiles/system.nix
    layout.module
  ];

  networking.hostName = "yoga";
  boot.loader.systemd-boot.enable = true;
  boot.loader.efi.canTouchEfiVariables = true;

  services.subvault.settings = {
    host.name = "yoga";
    subvolume.containers = {
      path = "/var/lib/containers";
      snapshot = "weekly";
    };
  };
}
