# What all example hosts are: a user, and subvault with one encrypted target at night.
{ lib, ... }:
let
  site = import ./site.nix;
in
{
  nixpkgs.hostPlatform = lib.mkDefault "x86_64-linux";
  system.stateVersion = "26.05";
  time.timeZone = lib.mkDefault "Europe/Berlin";

  users.users.${site.user} = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
  };

  services.subvault = {
    enable = true;
    settings = {
      host.time_zone = lib.mkDefault "Europe/Berlin";
      target.cloud = {
        inherit (site) recipients;
        s3 = site.bucket;
      };
    };
  };
}
