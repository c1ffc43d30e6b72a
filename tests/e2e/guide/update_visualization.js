socket.emit('update_visualization', {
  universeId: 'universe-123',
  parameters: {
    brightness: 0.8,
    saturation: 0.7,
    complexity: 0.6,
    colorScheme: 'rainbow',
    particleCount: 5000,
    glowIntensity: 0.5,
  },
});
