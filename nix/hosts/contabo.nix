# The staging machine (536 GB): as production, without its databases. Some hours may be lost.
{ lib, ... }:
let
  inherit (import ./site.nix) user;

  layout = (import ../disko { inherit lib; }).server {
    disks.main = "/dev/sda";
    inherit user;
    swapSize = "10G";
  };
in
{
  imports = [
    ./rented.nix
    layout.module
  ];

  networking.hostName = "contabo";

  services.subvault.settings = {
    host.name = "contabo";
    schedule.snapshot = "00/4:00";
    target.cloud.schedule = "03:00";
  };
}
