# What rented machines share: they start without UEFI as well, and send at most 10 Mbit/s at night, one after the other.
{ lib, ... }:
let
  inherit (import ./site.nix) user;
in
{
  imports = [
    ./common.nix
    ../profiles/server.nix
    ../profiles/system.nix
  ];

  boot.loader.grub = {
    enable = true;
    efiSupport = true;
    efiInstallAsRemovable = true;
  };

  services.subvault.settings = {
    subvolume = {
      dev.path = "/home/${user}/dev";
      config.path = "/home/${user}/.config";
      local.path = "/home/${user}/.local";
      log = {
        path = "/var/log";
        snapshot = lib.mkDefault "daily";
      };
    };
    target.cloud.bandwidth = "10 Mbit/s";
  };
}
