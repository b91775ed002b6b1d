# What is kept and when, by kind of machine.
{
  databases = ./databases.nix;
  laptop = ./laptop.nix;
  server = ./server.nix;
  system = ./system.nix;
}
