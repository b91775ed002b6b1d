# The examples, by name.
{
  contabo = ./contabo.nix;
  hetzner = ./hetzner.nix;
  impermanent = ./impermanent.nix;
  ovh = ./ovh.nix;
  yoga = ./yoga.nix;
  zephyrus = ./zephyrus.nix;
}
