# A laptop with two NVMe disks (2 TB and 1 TB) for development. At most an hour may be lost.
{ lib, ... }:
let
  inherit (import ./site.nix) user;

  layout = (import ../disko { inherit lib; }).dual-nvme-laptop {
    # `ls /dev/disk/by-id` has names that do not change with the order of detection.
    disks = {
      primary = "/dev/nvme0n1";
      secondary = "/dev/nvme1n1";
    };
    inherit user;
    # Builds overwrite a lot there; sources lose checksums and compression by it.
    devNoCow = true;
  };
in
{
  imports = [
    ./common.nix
    ../profiles/laptop.nix
    ../profiles/system.nix
    layout.module
  ];

  networking.hostName = "zephyrus";
  boot.loader.systemd-boot.enable = true;
  boot.loader.efi.canTouchEfiVariables = true;

  services.subvault.settings = {
    host.name = "zephyrus";
    subvolume = {
      dev.path = "/home/${user}/dev";
      containers = {
        path = "/var/lib/containers";
        # On the second disk, where its directory of snapshots is.
        snapshots = "/.snapshots/containers";
        snapshot = "weekly";
      };
    };
  };
}
