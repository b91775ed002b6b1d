# The system and the homes, which every machine has whose root lasts.
{ lib, ... }:
{
  services.subvault.settings.subvolume = {
    # It changes when it is updated. What is mounted in it has tables of its own.
    root = {
      path = "/";
      snapshot = lib.mkDefault "daily";
    };
    home.path = "/home";
  };
}
