socket.emit('update_music', {
  universeId: 'universe-123',
  parameters: {
    harmony: 0.7,
    tempo: 120,
    key: 'C',
    scale: 'major',
    rhythmComplexity: 0.5,
    melodyRange: 0.8,
  },
});
