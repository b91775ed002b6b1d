# A server whose root holds nothing that must last: what must is in subvolumes of its own and below /persist.
#
# The layout is here, and what lasts is looked after. Nothing here makes the root anew at start.
{ lib, ... }:
let
  layout = (import ../disko { inherit lib; }).impermanent-server {
    disks.main = "/dev/sda";
  };
in
{
  imports = [
    ./common.nix
    ../profiles/server.nix
    layout.module
  ];

  networking.hostName = "impermanent";
  boot.loader.grub = {
    enable = true;
    efiSupport = true;
    efiInstallAsRemovable = true;
  };

  services.subvault.settings = {
    # The name is claimed in the store with the identity of the machine, so both must last.
    host = {
      name = "impermanent";
      state = "/persist/var/lib/subvault";
    };
    subvolume = {
      services.path = "/var/lib/services";
      caddy.path = "/var/lib/caddy";
      persist.path = "/persist";
      log = {
        path = "/var/log";
        snapshot = "daily";
      };
    };
  };
}
