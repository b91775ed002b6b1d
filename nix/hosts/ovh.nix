# The utility machine (200 GB), for whatever is tried out. Some hours may be lost.
{ lib, ... }:
let
  inherit (import ./site.nix) user;

  layout = (import ../disko { inherit lib; }).server {
    disks.main = "/dev/sda";
    inherit user;
  };
in
{
  imports = [
    ./rented.nix
    layout.module
  ];

  networking.hostName = "ovh";

  services.subvault.settings = {
    host.name = "ovh";
    schedule.snapshot = "00/4:00";
    target.cloud.schedule = "04:00";
    # A small disk: what is kept gives way earlier.
    space = {
      yellow = "20 %";
      red = "10 %";
    };
  };
}
